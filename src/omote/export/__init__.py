"""What leaves omote: features as tables."""
