"""From notebooks to executed notebooks, to what these recorded, and to the site."""
