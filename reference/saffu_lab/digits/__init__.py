"""`saffu digits`: the explicit solution on images of digits."""
