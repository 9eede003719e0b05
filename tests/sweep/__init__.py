"""The failure sweep: whatever fails, wherever in a request, nothing is half there, lost or done twice."""
