"""Work on several processes of one machine."""
