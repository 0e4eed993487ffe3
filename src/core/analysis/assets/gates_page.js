"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const select = (id) => document.getElementById(id);
  const text = select("text"), a = select("a"), b = select("b"), maps = select("maps");
  const option = (list, label, value) => {
    const o = document.createElement("option");
    o.textContent = label;
    o.value = value;
    list.append(o);
  };
  data.forEach((t, i) => option(text, t.label, i));
  const fillTasks = () => {
    const names = data[text.value].maps.map((m) => m.task);
    for (const [list, first] of [[a, 0], [b, names.length > 1 ? 1 : -1]]) {
      const old = list.value;
      list.replaceChildren();
      if (list === b) option(list, "none", -1);
      names.forEach((name, i) => option(list, name, i));
      list.value = names.length > old && old !== "" ? old : first;
    }
  };
  const element = (name, className, content) => {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (content !== undefined) e.textContent = content;
    return e;
  };
  const draw = () => {
    const t = data[text.value];
    const first = t.maps[a.value], second = b.value >= 0 ? t.maps[b.value] : null;
    maps.replaceChildren();
    for (const [map, other] of second ? [[first, second], [second, first]] : [[first, null]]) {
      map.stacks.forEach((stack, s) => {
        const box = element("section");
        const head = element("h2", "", map.task + ", " + stack.name);
        if (other) {
          let differing = 0, all = 0;
          stack.experts.forEach((row, l) => row.forEach((e, p) => {
            ++all;
            differing += e !== other.stacks[s].experts[l][p];
          }));
          head.append(element("small", "", " – " + differing + " of " + all +
            " choices differ from " + other.task + " (outlined)"));
        }
        box.append(head);
        stack.experts.forEach((row, l) => {
          const line = element("div", "layer");
          line.append(element("b", "", "layer " + (l + 1)));
          const tokens = element("div");
          row.forEach((e, p) => {
            const token = element("span", "t e" + (e % 8), t.tokens[s][p]);
            token.append(element("sub", "", e + 1));
            token.title = "expert " + (e + 1) + ", probability " +
              (stack.probabilities[l][p] / 1000).toFixed(3);
            if (other && other.stacks[s].experts[l][p] !== e) token.classList.add("differs");
            tokens.append(token);
          });
          line.append(tokens);
          box.append(line);
        });
        maps.append(box);
      });
    }
  };
  text.addEventListener("change", () => { fillTasks(); draw(); });
  a.addEventListener("change", draw);
  b.addEventListener("change", draw);
  fillTasks();
  draw();
})();
