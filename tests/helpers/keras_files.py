"""What a .keras file needs of whoever loads it."""

import re
import zipfile


def packages_of(path):
    """Names of the packages whose classes a .keras file is made of; asserts that no other text of it names pcl_tf."""
    with zipfile.ZipFile(path) as file:
        config = file.read("config.json").decode()
    assert "pcl_tf" not in config
    return {module.split(".")[0] for module in re.findall(r'"module": "([\w.]+)"', config)}
