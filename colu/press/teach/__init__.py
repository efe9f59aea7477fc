"""What a teacher takes from the chapters: notebooks for students and teachers, exercise sheets, slides."""
