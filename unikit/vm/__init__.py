"""Images at work: the machine, its boot, its supervision; and what is made by booting, frozen images."""
