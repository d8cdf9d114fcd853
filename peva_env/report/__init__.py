"""What was found as figures. They need matplotlib, of the extra ``report``, which is imported where one is drawn."""
