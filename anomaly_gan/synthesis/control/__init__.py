"""What a user steers: the mask and its place, the category, the severity, the light; and the card that measures it."""
