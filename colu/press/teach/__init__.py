"""What a teacher takes from the chapters: student's notebooks, exercise sheets, slides."""
