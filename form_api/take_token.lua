-- One submission of an address (GCRA). KEYS[1]: when its bucket is full again, Unix ms.
-- ARGV: now (Unix ms), ms per submission, submissions at once. -> ms to wait; 0: go, and it is counted
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full - (burst - 1) * interval - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full + interval), 'PX', full + interval - now)
return 0
