"""Chromium without a driver: a page of the test's own holds the tested page in a frame, acts on it, and posts what it saw."""

import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_DRIVE = """<!doctype html><style>* { margin: 0; border: 0 }</style>
<iframe src="/index.html" width="WIDTH" height="HEIGHT" allow="camera"></iframe><img src="/done.png" hidden>
<script type="module">
const frame = document.querySelector("iframe"), sleep = (ms) => new Promise((go) => setTimeout(go, ms));
const at = (id) => frame.contentDocument.getElementById(id);
async function until(test) {
  for (let i = 0; i < 1000; i++, await sleep(50)) try { const found = test(); if (found) return found; } catch {}
  throw Error(`waited in vain; the page says: ${at("status")?.textContent}`);
}
async function give(name) {
  const files = new DataTransfer();
  files.items.add(new File([await (await fetch(`/given/${name}`)).blob()], name));
  at("file").files = files.files;
  at("status").textContent = "";
  at("file").dispatchEvent(new Event("change"));
}
const said = (words) => until(() => at("status").textContent.includes(words) && at("status").textContent);
async function act() { SCRIPT }
let seen;
try { seen = { seen: await act() }; } catch (error) { seen = { error: String(error) }; }
await fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
</script>"""


def driven(folder, script, given=None, *flags, size=(1000, 900), screenshot=None):
    """Acts on a page in Chromium.

    Args:
      folder: of the page.
      script: body of an async function, with at(id), until(test), said(words), give(name) and frame; returns JSON.
      given: {name: bytes} for give.
      *flags: of Chromium.
      size: of the page in pixels.
      screenshot: file for a picture of its end, or None.

    Returns:
      (what the script returned, paths that the browser asked the server for).
    """
    answer, done, asked = {}, threading.Event(), []
    page = _DRIVE.replace("WIDTH", str(size[0])).replace("HEIGHT", str(size[1])).replace("SCRIPT", script)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.path == "/done.png":  # the load event, after which a screenshot is taken, waits for it
                done.wait(150)
                return self.send_error(404)
            name = self.path.removeprefix("/given/")
            data = page.encode() if self.path == "/drive" else (given or {}).get(name)
            if data is None:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path == "/drive" else "application/octet-stream")
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            answer.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *_):
            pass

    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        window = f"--window-size={max(500, size[0])},{size[1]}"
        shot = [f"--screenshot={screenshot}"] if screenshot else ["--remote-debugging-port=0"]  # stays open
        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            window,
            *shot,
            *flags,
        ]
        url = f"http://127.0.0.1:{server.server_port}/drive"
        log = pathlib.Path(home, "log")
        with log.open("w") as out:
            browser = subprocess.Popen([*command, f"--user-data-dir={home}/profile", url], stdout=out, stderr=out)
        try:
            assert done.wait(150), log.read_text()[-2000:]
            if screenshot:
                browser.wait(60)
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
    assert "error" not in answer, answer["error"]
    return answer["seen"], asked
