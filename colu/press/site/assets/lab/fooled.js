/* Papers compare arms with a baseline; arm 1 alone may lead. Each prints one lead. */
coluLab.define("fooled", {
  state: {
    arms: { label: "arms in the table", value: 1, min: 1, max: 10, step: 1 },
    tries: { label: "tries of each arm", value: 10, min: 1, max: 20, step: 1 },
    seeds: { label: "seeds", value: 5, min: 2, max: 20, step: 1 },
    effect: { label: "true lead of arm 1", value: 0, min: 0, max: 2, step: 0.1, unit: " sd" },
    rule: { label: "test", value: "alone", options: { alone: "each alone", arms: "Holm over arms", tries: "Holm over all tries" } },
    luck: { label: "luck", type: "number", value: 1, min: 0, max: 999, step: 1 },
    papers: { value: 100, min: 1, max: 300, step: 1 }
  },
  build(ui) {
    const { abs, atan, cos, sin, sqrt, PI } = Math, some = (length, make) => Array.from({ length }, make);
    const mean = all => all.reduce((a, b) => a + b, 0) / all.length, best = all => all.reduce((a, b) => b.angle > a.angle ? b : a);
    /* p for Student's t, √(n − 1) tan(angle), is a share of the area below a power of cos. */
    const area = (x, k) => k > 1 ? (cos(x) ** (k - 1) * sin(x) + (k - 1) * area(x, k - 2)) / k : k ? sin(x) : x;
    ui.compare = (all, truth) => {
      const lead = mean(all), angle = atan(lead / sqrt(mean(all.map(one => (one - lead) ** 2)))), k = all.length - 2;
      return { truth, lead, angle, p: 1 - abs(area(angle, k) / area(PI / 2, k)) };
    };
    /* By Holm, is it a lead? */
    ui.holm = (family, one) => one.lead > 0 && family.sort((a, b) => a.p - b.p).every(({ p }, rank) => p > one.p || (family.length - rank) * p <= 0.05);
    const panel = ui.panel({ x: "printed lead (sd)", y: "papers", caption: "✓ true claim, × false claim, • none. Dashed: truth. Dotted: mean claim." });
    for (const [label, more] of [["write a paper", 1], ["a hundred papers", 100]]) ui.button(label, () => { ui.set({ papers: ui.state.papers + more }); if (ui.state.papers > 299) ui.note("300 papers are the most; another luck gives others."); });

    return () => {
      const { arms, tries, seeds, effect, rule, luck, papers } = ui.state, { normal } = coluMathematics.random(luck), claims = [], piles = {};
      const reach = 4.5 / sqrt(seeds), bin = (2 * reach + effect) / 45, top = 24 + papers / 8;
      panel.axes([-reach, effect + reach], [0, top]);
      panel.clear();
      some(papers, () => {
        const rows = some(arms, (_, arm, truth = arm ? 0 : effect) => some(tries, () => ui.compare(some(seeds, () => truth + normal()), truth)));
        const table = rows.map(best), head = best(table), x = Math.round(head.lead / bin);
        const led = ui.holm({ alone: [head], arms: table, tries: rows.flat() }[rule], head) && claims.push(head);
        const [path, style] = led ? head.truth ? ["m-3 0 2 3 4-6", "soft"] : ["m-3-3 6 6m0-6-6 6", "mpu"] : ["h0", "dots"];
        piles[x] = (piles[x] || 0) + 1;
        panel.put("path", { d: `M${panel.px(x * bin)} ${panel.py(piles[x] - 0.5)}${path}`, class: style });
      });
      const of = key => mean(claims.map(one => one[key]));
      for (const [x, style] of [[effect, "dashed"], [of("lead"), "dotted"]]) panel.line([[x, 0], [x, top]], style);
      ui.say(`Claims: ${claims.length} of ${papers} papers, ${claims.filter(({ truth }) => !truth).length} false` + (claims[0] ? `; they print ${of("lead").toFixed(2)} sd on average, their truth is ${of("truth").toFixed(2)}` : "")
        + `. If no arm led, ${(100 - 100 * (1 - 0.025 / { alone: 1, arms, tries: arms * tries }[rule]) ** (arms * tries)).toFixed(1)} % would claim one.`);
    };
  }
});
