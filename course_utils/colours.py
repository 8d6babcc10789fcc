"""The colours of the course, for pictures and messages alike.

They are Okabe and Ito's, told apart by colour-blind readers too (Okabe & Ito 2008).
"""

ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)

# Dark text on the light fills (orange, sky, yellow, purple) has a contrast of at least 4.5 to 1.
ON_FILL = "#111111"
