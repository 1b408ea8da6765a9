"""svg.py -- the few plain plots of the report: points and lines on logarithmic axes, and stacked bars. No library, no style sheet."""
import math
from html import escape

COLOURS = ("#1b6ca8", "#c8553d", "#3c8c5a", "#8a5aa8", "#b8860b", "#4a4a4a", "#2aa5a5", "#a83c6e", "#7a9a2b", "#d08a5a", "#5a6fd0", "#999999")
W, H, LEFT, TOP, RIGHT, BOTTOM = 760, 440, 70, 40, 190, 50


def page(title, body, height=H):
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">\n'
            '<rect width="100%%" height="100%%" fill="white"/>\n<text x="%d" y="22" font-size="15">%s</text>\n%s\n</svg>\n'
            % (W, height, W, height, LEFT, escape(title), "\n".join(body)))


def text(x, y, words, anchor="start", colour="#222"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>' % (x, y, anchor, colour, escape(words))


def line(x1, y1, x2, y2, colour, width=1.0, dash=""):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%s"%s/>' % (
        x1, y1, x2, y2, colour, width, ' stroke-dasharray="%s"' % dash if dash else "")


def ticks(low, high):
    """1, 2, 5 times the powers of ten within the range."""
    found = [m * 10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)]
    return [t for t in found if low <= t <= high]


def loglog(title, x_name, y_name, series):
    """series: (name, [(x, y)], dashed); dashed ones are limits, without marks, in the colour of the series before them. All values > 0."""
    points = [p for _, values, _ in series for p in values]
    if not points:
        return page(title, [text(LEFT, TOP + 30, "nothing was measured")])
    x_low, x_high = min(x for x, _ in points) / 1.3, max(x for x, _ in points) * 1.3
    y_low, y_high = min(y for _, y in points) / 1.3, max(y for _, y in points) * 1.3
    right, bottom = W - RIGHT, H - BOTTOM

    def at(x, y):
        return (LEFT + (right - LEFT) * math.log(x / x_low) / math.log(x_high / x_low),
                bottom - (bottom - TOP) * math.log(y / y_low) / math.log(y_high / y_low))
    body = ['<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>' % (LEFT, TOP, right - LEFT, bottom - TOP)]
    for t in ticks(x_low, x_high):
        x, _ = at(t, y_low)
        body += [line(x, TOP, x, bottom, "#ddd"), text(x, bottom + 16, "%g" % t, "middle")]
    for t in ticks(y_low, y_high):
        _, y = at(x_low, t)
        body += [line(LEFT, y, right, y, "#ddd"), text(LEFT - 6, y + 4, "%g" % t, "end")]
    body += [text((LEFT + right) / 2, H - 12, x_name, "middle"), text(LEFT, TOP - 4, y_name)]
    drawn = 0
    for name, values, dashed in series:
        colour = COLOURS[max(drawn - dashed, 0) % len(COLOURS)]
        drawn += not dashed
        where = [at(x, y) for x, y in sorted(values)]
        for (x1, y1), (x2, y2) in zip(where, where[1:]):
            body.append(line(x1, y1, x2, y2, colour, 1 if dashed else 1.6, "5 4" if dashed else ""))
        if not dashed:
            body += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, colour) for x, y in where]
            body += [line(right + 12, TOP + 16 * drawn - 4, right + 30, TOP + 16 * drawn - 4, colour, 2),
                     text(right + 36, TOP + 16 * drawn, name)]
    return page(title, body)


def bars(title, rows):
    """rows: (name, [(part, share)]), the shares of a row adding up to 1 at most."""
    names = list(dict.fromkeys(part for _, parts in rows for part, _ in parts))
    left, right, body = 230, W - RIGHT, []
    for r, (name, parts) in enumerate(rows):
        y, x = TOP + 12 + 26 * r, float(left)
        body.append(text(left - 8, y + 14, name, "end"))
        for part, share in parts:
            width = share * (right - left)
            body.append('<rect x="%.1f" y="%d" width="%.1f" height="20" fill="%s"><title>%s %.1f %%</title></rect>'
                        % (x, y, width, COLOURS[names.index(part) % len(COLOURS)], escape(part), 100 * share))
            x += width
    for n, part in enumerate(names):
        body += ['<rect x="%d" y="%d" width="12" height="12" fill="%s"/>' % (right + 14, TOP + 12 + 18 * n, COLOURS[n % len(COLOURS)]),
                 text(right + 32, TOP + 22 + 18 * n, part)]
    return page(title, body, TOP + 30 + max(26 * len(rows), 18 * len(names)))
