"""Recipes: what a run does, as plain Python. `python -m pcl_tf.train --helpfull` lists the keys."""
