"""From notebooks to executed notebooks to the site; notebooks themselves need only the records."""
