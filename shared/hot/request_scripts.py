"""The scripts by which Redis counts requests; each runs as a whole, on Redis' own clock."""

# Redis' own clock, so that all processes agree on the time of a request. KEYS: requests, closed, slow, reserve.
# ARGV: limit, limit when slow, window and longest request in microseconds, the request's id, the requests that may pass
# while closed and the milliseconds in which they may, a request that must be known, and when it ended. Returns LOST if
# it is not known, else the microseconds to wait, the time, and the requests with their times in one text.
COUNT = """
local window, under_way = tonumber(ARGV[3]), tonumber(ARGV[4])
local now = redis.call('TIME')
local t = now[1] * 1000000 + now[2]
local function answer(wait, requests)
  return {string.format('%.0f', wait), string.format('%.0f', t), table.concat(requests, ' ')}
end
if tonumber(ARGV[9]) > t - window and not redis.call('ZSCORE', KEYS[1], ARGV[8]) then return {'lost'} end
local closed = redis.call('PTTL', KEYS[2])
if closed > 0 then
  local reserve = tonumber(ARGV[6])
  if reserve == 0 then return answer(closed * 1000, {}) end
  if tonumber(redis.call('GET', KEYS[4]) or '0') >= reserve then
    return answer(math.max(math.min(redis.call('PTTL', KEYS[4]), closed), 1) * 1000, {})
  end
  if redis.call('INCR', KEYS[4]) == 1 then redis.call('PEXPIRE', KEYS[4], ARGV[7]) end
end
local most = tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then most = tonumber(ARGV[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, string.format('%.0f', t - window))
local count = redis.call('ZCARD', KEYS[1])
if count >= most then
  local leaving = redis.call('ZRANGE', KEYS[1], count - most, count - most, 'WITHSCORES')
  local wait = math.max(math.min(leaving[2] + window - t, window), 1000)
  return answer(wait, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'))
end
redis.call('ZADD', KEYS[1], string.format('%.0f', t + under_way), ARGV[5])
redis.call('PEXPIRE', KEYS[1], math.ceil((window + under_way) / 1000))
return answer(0, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'))
"""
LOST = "lost"
# The venue counted the request at some instant before its answer: it leaves our window a whole span after the answer.
# It is counted here also if its begin was not, or was lost. ARGV: the request's id, milliseconds that a window is kept.
# Returns the time, and 1 if Redis did not know the request.
END = """
local now = redis.call('TIME')
local t = string.format('%.0f', now[1] * 1000000 + now[2])
local is_new = redis.call('ZADD', KEYS[1], t, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {t, is_new}
"""
# KEYS: closed, refusals, slow. ARGV in milliseconds, but for the jitter share: the venue's Retry-After or -1, first and
# longest pause, jitter share, memory of refusals, duration of slow or 0. Refusals while closed count as one.
CLOSE = """
local retry_after_ms, closed = tonumber(ARGV[1]), redis.call('PTTL', KEYS[1])
local pause = retry_after_ms
if retry_after_ms < 0 then
  if closed > 0 then return closed end
  local times = redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  pause = math.min(tonumber(ARGV[2]) * 2 ^ (times - 1), tonumber(ARGV[3])) * (1 + tonumber(ARGV[4]))
end
pause = math.floor(math.max(pause, closed, 1))
redis.call('SET', KEYS[1], '1', 'PX', pause)
if tonumber(ARGV[6]) > 0 then redis.call('SET', KEYS[3], '1', 'PX', ARGV[6]) end
return pause
"""
# KEYS: requests, closed. ARGV: milliseconds that the window is kept, milliseconds that it stays closed, then requests
# and when they count as ended, in microseconds. Of two times of a request the later is a guess made before its end.
RESTORE = """
for i = 3, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'LT', ARGV[i + 1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) end
"""
# KEYS: requests, closed, slow. ARGV: limit, limit when slow, window in microseconds. Returns the share that is left.
LEFT = """
if redis.call('EXISTS', KEYS[2]) == 1 then return '0' end
local most = tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then most = tonumber(ARGV[2]) end
local now = redis.call('TIME')
local since = now[1] * 1000000 + now[2] - tonumber(ARGV[3])
local count = redis.call('ZCOUNT', KEYS[1], string.format('(%.0f', since), '+inf')
return string.format('%.6f', math.max(most - count, 0) / most)
"""
