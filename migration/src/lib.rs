//! The schema of Tidegate as a list of migrations.
