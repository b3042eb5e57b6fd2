"""VK community messages (API 5.199), simulated from vendors/vk.md."""
