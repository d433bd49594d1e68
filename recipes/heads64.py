"""``faces64`` on 30,000 generated heads, each in two scenes, for 7,000 steps: an encoder that has never seen a photograph.

  python -m pcl_tf.train --recipe=heads64 --workdir=W

The two face views are of two scenes: light, background and camera differ, so what L_face calls the same is the head. They
are rendered first, into W/cache (740 MB), in thirteen minutes of a core; a killed run goes on with those that are missing.
--set data.generated_images=N renders N pictures.
"""

from ml_collections import ConfigDict

from recipes import common, faces64


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = faces64.get_config().unlock()
    c.data.source, c.data.generated_images = "generated", 60_000
    c.data.clips, c.method.face_positives = "scenes", "frames"
    c.total_steps = 7_000
    return common.finish(c, arg)
