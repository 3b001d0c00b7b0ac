"""An intrinsic reward of one's own: being surprised by what others do."""
