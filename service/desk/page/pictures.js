// Draws a cheque: the whole page, and its amount field upright and enlarged.

const MARGIN = 0.35;

// Drawn ahead at the sizes on the screen, so that showing an item is copying two pictures.
export function prepare(item, field, page) {
  item.views = [
    [drawField, field],
    [drawPage, page],
  ].map(([draw, canvas]) => {
    const [width, height] = shownSize(canvas);
    if (width < 2) return null;
    const view = new OffscreenCanvas(width, height);
    draw(view, item);
    return view;
  });
}

export function show(item, field, page) {
  [
    [drawField, field],
    [drawPage, page],
  ].forEach(([draw, canvas], n) => {
    const [width, height] = shownSize(canvas);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const view = item.views?.[n];
    if (view && view.width === width && view.height === height) {
      prepared(canvas).drawImage(view, 0, 0);
    } else {
      draw(canvas, item);
    }
  });
}

// The field's box has its corners clockwise from the top left of how it is read.
function drawField(canvas, item) {
  const pen = prepared(canvas);
  const { width, height } = canvas;
  const corners = item.corners;
  const [origin, along, , down] = corners;
  const wide = distance(origin, along);
  const high = distance(origin, down);
  if (!(wide > 0 && high > 0)) return;
  const margin = item.whole ? 0 : MARGIN * high;
  const scale = Math.min(width / (wide + 2 * margin), height / (high + 2 * margin));
  const angle = Math.atan2(along[1] - origin[1], along[0] - origin[0]);
  const middle = [(along[0] + down[0]) / 2, (along[1] + down[1]) / 2];
  pen.translate(width / 2, height / 2);
  pen.scale(scale, scale);
  pen.rotate(-angle);
  pen.translate(-middle[0], -middle[1]);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(item.bitmap, 0, 0);
}

function drawPage(canvas, item) {
  const pen = prepared(canvas);
  const { width, height } = canvas;
  const image = item.bitmap;
  const scale = Math.min(width / image.width, height / image.height);
  pen.translate((width - image.width * scale) / 2, (height - image.height * scale) / 2);
  pen.scale(scale, scale);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0);
  if (item.whole) return;
  pen.lineWidth = 2 / scale;
  pen.strokeStyle = "#0b57c2";
  pen.beginPath();
  for (const [x, y] of item.corners) pen.lineTo(x, y);
  pen.closePath();
  pen.stroke();
}

// Field corners in pixels of the picture that was sent; the whole picture where there is no field.
export function corners(box, bitmap, original) {
  const { width, height } = bitmap;
  if (!box) return [[0, 0], [width, 0], [width, height], [0, height]];
  return box.map(([x, y]) => [(x * width) / original[0], (y * height) / original[1]]);
}

// White, and without what was drawn before having left it turned or scaled.
function prepared(canvas) {
  const pen = canvas.getContext("2d", { alpha: false });
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  return pen;
}

function shownSize(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const box = canvas.getBoundingClientRect();
  const size = [box.width * ratio, box.height * ratio];
  return size.map((side) => Math.max(1, Math.round(side)));
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
