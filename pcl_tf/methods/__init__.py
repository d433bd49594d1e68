"""Methods: a keras.Model each, whose train_step computes everything.

``METHODS`` says by name where each class is. A recipe's argument of that name uses it.
"""

METHODS = {
    "pcl": "pcl_tf.methods.pcl:PCL",
    "simclr": "pcl_tf.methods.simclr:SimCLR",
    "moco": "pcl_tf.methods.moco:MoCo",
}
