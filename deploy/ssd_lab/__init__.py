"""Around training: trained agents play and are evaluated, runs are plotted, studies are made."""
