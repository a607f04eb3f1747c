"""Self-contained pages: sections of sentences, tables and pictures in one file of HTML."""
