"""What stands between the pages and their readers: connections, encryption, passwords, limits."""
