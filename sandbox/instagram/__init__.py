"""Instagram messaging (Graph API), simulated from vendors/instagram.md."""
