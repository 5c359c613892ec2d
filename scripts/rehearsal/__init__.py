"""What hoopsnake is used for, in small: a build is guided by what this makes it do (ADR 0050)."""
