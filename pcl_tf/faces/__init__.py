"""What people ask of an encoder: features and answers for their pictures, and which of them are alike."""
