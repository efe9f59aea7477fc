/* Turn the hues of a picture, then activate, or the other way round. A colour is a value and a section, whose angle is the hue. */
coluLab.define("hue", {
state: {
  unit: { label: "activation", value: "colu", options: { colu: "CoLU", "colu-soft": "CoLU, soft", relu: "ReLU on red, green, blue", "relu-hue": "ReLU in CoLU's basis" } },
  angle: { label: "turn", value: 60, min: 0, max: 360, step: 1, unit: "°" },
  bias: { label: "bias", value: 0.45, min: 0, max: 1, step: 0.01 },
  factor: { label: "difference ×", value: 8, min: 1, max: 32, step: 1 }
},
build(ui) {
  const { cos, sin, sqrt, PI } = Math, { make, short, data: { hue } } = coluLab, around = Array.from({ length: 120 }, (_, k) => k);
  function pixels(x, f) {
    const y = new Float64Array(x.length);
    for (let o = 0; o < x.length; o += 3) [y[o], y[o + 1], y[o + 2]] = f(x[o], x[o + 1], x[o + 2]);
    return y;
  }
  const [h, i, j] = [3, 2, 6].map(n => 1 / sqrt(n));
  const inward = x => pixels(x, (r, g, b) => [h * (r + g + b), i * (r - g), j * (r + g - 2 * b)]);
  const outward = x => pixels(x, (a, s, t) => [h * a + i * s + j * t, h * a - i * s + j * t, h * a - 2 * j * t]);
  function turn(x, angle) {
    const c = cos(angle / 180 * PI), d = sin(angle / 180 * PI);
    return pixels(x, (a, s, t) => [a, c * s - d * t, d * s + c * t]);
  }

  ui.panels.classList.add("lab-hue");
  const canvases = [1, 2, 3, 4].map(label => ui.canvas({ width: 1, height: 1, label }));
  const plane = ui.panel({ height: 240, equal: true, x: "red against green", y: "yellow against blue", caption: "a ring of hues, activated; dashed: turned, activated, turned back" });
  const ring = Float64Array.from(around.flatMap(k => [...turn([1, sqrt(2), 0], 3 * k)])), points = x => around.map(k => [x[3 * k + 1], x[3 * k + 2]]);
  plane.axes([-1.5, 1.5], [-1.5, 1.5]);

  let picture;
  function take(bytes, step, width) {
    picture = new Float64Array(bytes.length / step * 3).map((_, k) => bytes[(k / 3 | 0) * step + k % 3] / 255);
    for (const each of canvases) Object.assign(each, { width, height: bytes.length / step / width });
    ui.redraw();
  }
  const pagoda = () => take(Uint8Array.from(atob(hue.rgb), one => one.charCodeAt()), 3, hue.width);
  const file = make("input", { type: "file", accept: "image/*" });
  file.onchange = async () => {
    const [given] = file.files, say = words => ui.note(`${given.name} is ${words}`), stays = "; the picture stays as it was.";
    if (!given || given.size > 2e7) return given && say("larger than 20 MB" + stays);
    try {
      const image = await createImageBitmap(given), scale = Math.min(1, 160 / image.width, 120 / image.height);
      const [width, height] = [image.width, image.height].map(one => Math.ceil(one * scale));
      const pen = new OffscreenCanvas(width, height).getContext("2d", { alpha: false });
      pen.drawImage(image, 0, 0, width, height);
      take(pen.getImageData(0, 0, width, height).data, 4, width);
      say(`shown, in ${width} × ${height} pixels.`);
    } catch { say("no picture that this browser reads" + stays); }
  };
  ui.controls.append(make("label", {}, "your own picture (it stays on this machine)", file));
  ui.button("the pagoda", pagoda);
  pagoda();

  return () => {
    const { unit, angle, bias, factor } = ui.state, [kind, more] = unit.split("-"), relu = kind === "relu", name = relu ? "ReLU" : "CoLU";
    const f = x => coluMathematics.units[more === "hue" ? kind : unit].forward(x, { dim: 3 }), act = unit === "relu" ? x => inward(f(outward(x))) : f;
    const x = inward(picture.map(one => one - bias)), one = outward(act(turn(x, angle))), two = outward(turn(act(x), angle));
    const gap = one.map((value, k) => Math.abs(value - two[k])), mean = gap.reduce((a, b) => a + b) / gap.length, most = gap.reduce((a, b) => Math.max(a, b));
    Object.assign(ui.root.dataset, { mean, most });
    const shown = [["the picture", picture], [`turn, then ${name}`, one, bias], [`${name}, then turn`, two, bias], [`difference × ${factor}`, gap, 0, factor]];
    shown.forEach(([words, values, shift = 0, scale = 1], k) => {
      const canvas = canvases[k], image = new ImageData(canvas.width, canvas.height);
      image.data.fill(255);
      values.forEach((value, k) => { image.data[k + (k / 3 | 0)] = 255 * (scale * value + shift); });
      canvas.getContext("2d").putImageData(image, 0, 0);
      canvas.setAttribute("aria-label", canvas.nextSibling.textContent = words);
    });

    plane.clear();
    points(ring).forEach(([u, v], k) => k % 5 || (plane.dot(u, v).style.fill = `rgb(${outward([220, 100 * u, 100 * v])})`));
    for (const style of ["area ", ""]) plane.line(points(act(ring)), style + (more === "soft" ? more : kind), true);
    plane.line(points(turn(act(turn(ring, angle)), -angle)), "dashed", true);

    const differ = most > 1e-12;
    const why = differ ? more ? "ReLU cuts along two axes among the hues, and the turn moves them." : "The turn mixes red, green and blue, which ReLU keeps apart."
      : !(angle % 360) ? "This is no turn." : !relu ? "So it is at every angle: the turn leaves a cone about the greys as it is."
        : more || angle % 120 ? "Nothing in this picture tells them apart." : "A trap: this turn only renames red, green and blue. Try another angle.";
    ui.say(`Turned by ${angle}°, both orders ${differ ? `differ by ${short(mean)} on average and by ${short(most)} at most, where white is 1` : "give one picture, up to rounding"}. ${why}`);
  };
}
});
