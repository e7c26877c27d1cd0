<?php
// Reviews of products in MariaDB; each request has a connection of its own. Files in the folder $WEB_HOST break it:
// php-slow makes each request 80 ms longer, php-children the best-of route 3 s.

function broken(string $name): bool
{
    return is_file(getenv('WEB_HOST') . '/' . $name);
}

function product(): int
{
    return (int) basename($_SERVER['REQUEST_URI']);
}

function answer(PDO $shop): array
{
    if (str_starts_with($_SERVER['REQUEST_URI'], '/reviews/best/')) {
        if (broken('php-children')) sleep(3);
        $best = $shop->prepare('select id, stars, words from reviews where product = ? and stars = 5 limit 3');
        $best->execute([product()]);
        return $best->fetchAll(PDO::FETCH_NUM);
    }
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        $written = $shop->prepare('insert into reviews(product, stars, words) values(?, ?, ?)');
        $written->execute([product(), rand(1, 5), 'as described']);
        return ['id' => $shop->lastInsertId()];
    }
    $latest = $shop->prepare('select id, stars, words from reviews where product = ? order by id desc limit 10');
    $latest->execute([product()]);
    return $latest->fetchAll(PDO::FETCH_NUM);
}

header('Content-Type: application/json');
if (broken('php-slow')) usleep(80_000);
try {
    $shop = new PDO('mysql:host=127.0.0.1;port=3316;dbname=shop', 'reviews', 'reviews', [PDO::ATTR_TIMEOUT => 5]);
    echo json_encode(answer($shop));
} catch (PDOException $failure) {
    http_response_code(503);
    echo json_encode(['error' => $failure->getMessage()]);
}
