/* A point and a small ball about it, under maps that keep rays and turn with the section. */
coluLab.define("cone", {
  state: {
    unit: { label: "map", value: "colu", options: { colu: "CoLU, hard", mpu: "nearest point (MPU)",
      ...Object.fromEntries(["soft", "firm", "sqrt", "log", "rectified"].map(one => ["colu-" + one, "CoLU, " + one])) } },
    angle: { label: "cone angle", value: 45, min: 5, max: 80, step: 1, unit: "°" },
    section: { value: 0.6, min: -0.7, max: 0.7 }, axis: { value: 0.25, min: -0.7, max: 0.7 },
    turn: { value: 0.6, min: -3.2, max: 3.2 }, tilt: { value: -0.3, min: -1.6, max: 1.6 }
  },
  build(ui) {
    const { abs, cos, hypot, sin, tan, PI } = Math, height = 330;
    const plane = ui.panel({ height, equal: true, x: "section", y: "axis", caption: "Blue: the cone. Grey: gradients die. A circle becomes an ellipse." });
    const space = ui.panel({ height, caption: "In space. Drag it or use arrow keys." });
    const put = plane.handle({ label: "point: section and axis", keys: ["section", "axis"], step: 0.05 });
    space.drags(space.svg, { keys: ["turn", "tilt"] });
    plane.axes([-1, 1], [-1, 1]);
    space.xs = plane.xs;
    space.ys = plane.ys;
    const arc = (make, from = 0, span = 2 * PI) => Array.from({ length: 31 }, (_, k) => from + span * k / 30).map(t => make(cos(t), sin(t)));

    return () => {
      const { unit, axis, section, turn, tilt } = ui.state, angle = ui.state.angle / 180 * PI, side = section < 0 ? -1 : 1, tone = unit.match(/mpu|soft|$/)[0] || "colu";
      /* Axis, weight, slopes; beside the axis for no section. */
      const at = (a, s) => coluMathematics.units[unit].plane(a, s || 1e-12, { angle });
      const stretch = ([, w, p, q, r, t]) => [1, -1].map(sign => abs(hypot(p + t, r - q) + sign * hypot(p - t, r + q)) / 2).concat(w).map(one => +one.toFixed(3));
      const rank = ray => stretch(at(cos(ray), sin(ray))).filter(Boolean).length;
      const map = at(axis, abs(section)), x = +(map[1] * section).toFixed(9), y = map[0];
      const solid = (a, s, z = 0) => [s * cos(turn) - z * sin(turn), a * cos(tilt) - (s * sin(turn) + z * cos(turn)) * sin(tilt)];
      for (const [panel, see] of [[space, solid], [plane, (a, s) => [s, a]]]) {
        panel.clear();
        panel.line([[0, 0], ...arc(see, -angle, 2 * angle)], "area cone");
        for (let ray = 0, left = 3; ray < PI; ray += PI / 180) {
          const now = rank(ray + 1e-3);
          while (left > now && now === rank(ray + 0.15)) {
            panel.line([[0, 0], ...arc(see, ray, 2 * (PI - ray))], "area neutral");
            if (--left === now) plane.text(-0.65 * sin(ray + 0.15), 0.65 * cos(ray + 0.15), "rank " + now, "", "end");
          }
        }
        const ball = (a, s, [, w, p, q, r, t], style) => [0, 1, 2].forEach(k => panel.line(arc((c, d) => {
          const [u, v, z] = [c / 8, d / 8, 0, c / 8, d / 8].slice(k);
          return see(a + p * u + q * v, s + side * (r * u + t * v), w * z);
        }), k ? "thin " + style : style));
        ball(axis, section, [0, 1, 1, 0, 0, 1], "thin");
        ball(y, x, map, tone);
        panel.arrow(...see(axis, section), ...see(y, x), tone);
        panel.dot(...see(y, x), tone);
      }
      const ring = (a, r, style) => space.line(arc((c, d) => solid(a, r * c, r * d)), "thin " + style), high = cos(angle), wide = sin(angle);
      for (const far of [0.3, 0.6, 1]) ring(far * high, far * wide, "cone");
      space.line(arc((c, d) => [[0, 0], solid(high, wide * c, wide * d)]).flat(), "thin cone");
      space.line([solid(1, 0), solid(-1, 0)], "thin");
      ring(axis, section, "dotted");
      ring(y, x, "dotted " + tone);
      put();
      const place = (s, a, over = abs(s) - a * tan(angle)) => `(section ${coluLab.short(s)}, axis ${coluLab.short(a)}) is ${over > 1e-9 ? "outside" : over < -1e-9 ? "inside" : "on the edge of"} the cone`;
      const by = stretch(map);
      ui.say(`The point ${place(section, axis)}; its image ${place(x, y)}. Steps in the plane are stretched by ${by[0]} and ${by[1]}, across it by ${by[2]}: gradients die in ${by.filter(one => !one).length} of 3 directions. Where the map is smooth, the largest stretch is the local Lipschitz constant.`);
    };
  }
});
