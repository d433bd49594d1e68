"""Features of a folder of faces, written in forms that other tools read."""
