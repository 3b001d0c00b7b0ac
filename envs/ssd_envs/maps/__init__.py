"""Maps: their legend, the parser of map drawings, and the built-in maps."""
