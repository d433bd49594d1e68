"""Methods: a keras.Model each, whose train_step computes everything.

``METHODS`` says by name where each class is and what keys it has. A recipe's argument of that name uses it.
"""

from typing import NamedTuple

from pcl_tf.keys import Key
from pcl_tf.methods import keys


class Entry(NamedTuple):
    """The class of a method as "module:NAME", and the keys of its recipes' group ``method``, beside ``name``."""

    place: str
    keys: dict[str, Key]


METHODS = {
    "pcl": Entry("pcl_tf.methods.pcl:PCL", keys.PCL),
    "simclr": Entry("pcl_tf.methods.simclr:SimCLR", keys.SIMCLR),
    "moco": Entry("pcl_tf.methods.moco:MoCo", keys.MOCO),
    "fabnet": Entry("pcl_tf.methods.fabnet:FabNet", keys.FABNET),
    "tcae": Entry("pcl_tf.methods.tcae:TCAE", keys.TCAE),
    "facecycle": Entry("pcl_tf.methods.facecycle:FaceCycle", keys.FACECYCLE),
}
