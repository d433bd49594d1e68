"""Whatever turns images into features: exports, models of others, handcrafted ones, and the features on disk."""
