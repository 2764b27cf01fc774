from explorer.tui.widgets.widths import reckon_marks

reckon_marks()  # before any text is measured
