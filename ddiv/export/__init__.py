"""Results that travel: findings, records and measurements as rows and files, and citations."""
