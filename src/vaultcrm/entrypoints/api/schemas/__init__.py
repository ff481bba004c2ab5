"""What goes in and out of the JSON API, a module a subject."""
