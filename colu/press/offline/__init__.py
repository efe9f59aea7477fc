"""The book without a server: archive, PDF, EPUB."""
