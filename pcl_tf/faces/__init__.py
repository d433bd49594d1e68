"""What people ask an encoder for: features of their pictures, answers about them, and which are alike."""
