"""What ``pcl_tf.benchmark`` measures, a part a module."""
