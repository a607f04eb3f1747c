"""The chapters of the book: tables, figures and verdicts, one module a chapter."""
