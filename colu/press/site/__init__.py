"""Sphinx extensions that make the notebooks' executed copies into the book's site.

``executed``
    renders the executed copy of each notebook under the committed notebook's own address;
``claims``
    the claim box, the role that links to one, and the table of all claims;
``layers``
    the two layers of a chapter: set-up, plotting and checks behind one line each;
``hints``
    hints to an exercise, each behind a line;
``findings``
    the statements in print that have a word, for the first page;
``teaching``
    how each chapter is taught, for the teacher's page;
``atlas``
    the atlas of activations: a page for each, and their front;
``turning``
    the rose that turns;
``offline``
    MathJax from the site itself, so that no page asks another host for anything;
``sliders``
    figures with sliders, whose script all pages share;
``numbering``
    figures, theorems and exercises numbered by chapter;
``slides``
    the slides that a notebook has for its chapter's deck, and which its page does not show;
``decks``
    decks, exercise sheets and solutions beside the chapters;
``drawings``
    drawn schemes in the colours of the page;
``opening``
    the figure of a chapter that it opens with;
``typography``
    powers of ten in place of the letter e, and quantities that no line parts;
``counts``
    the number of runs once for a table;
``commands``
    long commands in tables as blocks that can be copied;
``tables``
    wide tables as cards on a telephone;
``sidebar``
    parts that fold in the side bar;
``names``
    links from the names of objects and activations;
``reference``
    pages of the package reference, and links to sources;
``words``
    words of the search;
``heads``
    descriptions and cards of pages, and the page for wrong addresses;
``formulas``
    the room that a formula will take;
``plain``
    the chapters as notebooks without the book's own syntax, for Colab, Binder and the download;
``finish``
    takes out scripts that no page uses, and labels that mislead;
``icons``
    the theme's icons without those that no page shows;
``modes``
    figures in the colours of the page, light and dark;
``figures``
    refuses a figure that has no description.

``_config.yml`` registers each by its name under ``sphinx: extra_extensions``.
"""
