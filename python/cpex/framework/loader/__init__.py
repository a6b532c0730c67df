"""Reading plugin configurations and turning their entries into plugins."""
