"""What is made of finished pictures and of frames to be looked at; none of it enters the solve of the sky."""
