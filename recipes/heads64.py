"""``patch64`` with flips on 200,000 generated faces: an encoder that has never seen a photograph.

  python -m pcl_tf.train --recipe=heads64 --workdir=W

The faces are rendered first, into W/cache (2.5 GB), in about twenty minutes of two cores; a killed run goes on with those
that are missing. --recipe.data.generated_images=N renders N.
"""

from ml_collections import ConfigDict

from recipes import common, patch64


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = patch64.get_config().unlock()
    crop, _, others = c.method.face_views.partition("|")
    c.method.face_views = f"{crop}|flip|{others}"
    c.data.source, c.data.generated_images = "generated", 200_000
    return common.finish(c, arg)
