"""compose.yaml starts the server as README does, on what a workdir holds, and asks it as the client is asked."""

import pathlib
import re

import pytest
import yaml

from pcl_tf.serving.answers import Unavailable
from pcl_tf.serving.requests import embed
from pcl_tf.serving.server_files import write_server_files
from tests.helpers.commands import FLAGS, command

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_the_server_is_started_as_in_readme(tmp_path):
    server = SERVICES["server"]
    text = (ROOT / "pcl_tf/serving/README.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^docker run .* tensorflow/serving +(.*)$", text, re.M)
    assert server["command"] == line.split()
    write_server_files(tmp_path)
    inside = {v["target"]: v["source"] for v in server["volumes"]}
    for flag in (a for a in server["command"] if "=" in a):
        folder, name = flag.split("=")[1].rsplit("/", 1)
        assert (tmp_path / name).is_file() and inside[folder].endswith("/serving")
    base = re.search(r'base_path: "(.*)"', (tmp_path / "models.config").read_text())[1]
    assert inside[base].endswith("/export")


def test_the_client_has_such_flags_and_the_servers_name():
    client = SERVICES["client"]
    with command("client"):
        left = FLAGS([*client["entrypoint"], *client["command"]])
        assert left[1:] == [client["volumes"][0]["target"]] and FLAGS.out.startswith(client["volumes"][1]["target"])
        host, port = FLAGS.server.split(":")
        waits = []

        class Away:
            def predict(self, images):
                raise Unavailable("not yet")

        with pytest.raises(Unavailable):
            list(embed(Away(), [("face", b"")], retries=FLAGS.retries, wait=FLAGS.wait, sleep=waits.append))
    said = (ROOT / "compose.yaml").read_text()
    assert 110 < sum(waits) < 130 and "asks again for two minutes" in said
    assert host in SERVICES and f"{port}:{port}" in SERVICES[host]["ports"]
