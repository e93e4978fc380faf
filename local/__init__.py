"""The whole stack on a laptop: the emulator, a stand-in for the image provider, and the demo."""
