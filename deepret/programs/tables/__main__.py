"""Runs the table of descriptors with the command line's words."""

from deepret.reports.command import command

command("deepret.programs.tables.report.descriptor_table", "landmarks=DIR 'rows=[rmac,\"gem pooling.p=4\"]'")
