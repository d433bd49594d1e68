"""``faces64`` on 60,000 generated faces for 4,500 steps: an encoder that has never seen a photograph.

  python -m pcl_tf.train --recipe=heads64 --workdir=W

The faces are rendered first, into W/cache (740 MB), in thirteen minutes of a core; a killed run goes on with those that
are missing. --recipe.data.generated_images=N renders N.
"""

from ml_collections import ConfigDict

from recipes import common, faces64


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = faces64.get_config().unlock()
    c.data.source, c.data.generated_images = "generated", 60_000
    c.total_steps = 4_500
    return common.finish(c, arg)
