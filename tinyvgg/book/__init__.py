"""From notebooks to executed notebooks, to their records, and to the site."""
