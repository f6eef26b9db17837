"""What vendors sent at one probe, as files to read, to share and to replay."""
